"""From the specification to Kubernetes objects: pure, one object a module."""
