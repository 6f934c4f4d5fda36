"""Commands that reach a company in a Kubernetes cluster: by the API server, with what the kubeconfig allows."""
