# Gateway and workers (target `worker`) and the operator (target `operator`), from one source, with locked dependencies.
#   docker build --target worker -t aicompany-worker .
#   buildah bud --target operator -t aicompany-operator .
# BASE_IMAGE is any image with Python 3.11 or newer as `python3`, and its `venv` module.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS tools
RUN python3 -m venv /opt/pip
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

FROM tools AS wheel
WORKDIR /src
COPY requirements/build.lock requirements/build.lock
RUN /opt/pip/bin/pip install --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY workers workers
COPY desk desk
COPY operator operator
RUN /opt/pip/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# An environment without pip, and without anything that builds.
FROM tools AS worker-environment
COPY requirements/worker.lock /tmp/worker.lock
RUN python3 -m venv --without-pip /opt/aicompany \
    && /opt/pip/bin/pip --python /opt/aicompany/bin/python install --require-hashes -r /tmp/worker.lock
COPY --from=wheel /wheels /wheels
# The operator is no part of a worker: nothing in this image knows Kubernetes.
RUN /opt/pip/bin/pip --python /opt/aicompany/bin/python install --no-deps /wheels/*.whl \
    && cd /opt/aicompany && rm -rf lib/python3*/site-packages/aicompany_operator bin/aicompany-operator bin/kubectl-aicompany

FROM tools AS operator-environment
COPY requirements/operator.lock /tmp/operator.lock
RUN python3 -m venv --without-pip /opt/aicompany \
    && /opt/pip/bin/pip --python /opt/aicompany/bin/python install --require-hashes -r /tmp/operator.lock
COPY --from=wheel /wheels /wheels
RUN /opt/pip/bin/pip --python /opt/aicompany/bin/python install --no-deps /wheels/*.whl

FROM ${BASE_IMAGE} AS operator
LABEL org.opencontainers.image.title="AI Company operator" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=operator-environment /opt/aicompany /opt/aicompany
ENV PATH=/opt/aicompany/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /
ENTRYPOINT ["aicompany-operator"]

# The last stage is what is built when no target is named.
FROM ${BASE_IMAGE} AS worker
LABEL org.opencontainers.image.title="AI Company worker" org.opencontainers.image.licenses="Apache-2.0"
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/aicompany /var/lib/aicompany/results
COPY --from=worker-environment /opt/aicompany /opt/aicompany
ENV PATH=/opt/aicompany/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/var/lib/aicompany
USER 10001:10001
WORKDIR /var/lib/aicompany
# For Compose; Kubernetes has probes of its own. A worker's health; the gateway's has another port, as compose.yaml says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8701/health', timeout=3)"]
ENTRYPOINT ["aicompany"]
