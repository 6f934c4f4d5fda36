"""The company's specification: one typed model, from which the reference page (and later the CRD) is generated."""
