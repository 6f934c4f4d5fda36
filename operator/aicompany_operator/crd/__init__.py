"""The custom resource definition, generated from the specification."""
