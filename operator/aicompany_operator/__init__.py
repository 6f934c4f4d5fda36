"""The operator: watches `AICompany` resources in a Kubernetes cluster and runs what they say."""
