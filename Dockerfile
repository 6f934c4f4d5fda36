# Gateway and workers (target `worker`) and the operator (target `operator`), from one source, with locked dependencies.
#   docker build --target worker -t aicompany-worker .
#   buildah bud --layers --target operator -t aicompany-operator .
# BASE_IMAGE is any image with Python 3.11 or newer as `python3`, and its `venv` module.
# PIP_INDEX_URL is for places without the public index; only stages that no image keeps hear of it.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS tools
RUN python3 -m venv /opt/pip
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

FROM tools AS wheel
ARG PIP_INDEX_URL
WORKDIR /src
COPY requirements/build.lock requirements/build.lock
RUN /opt/pip/bin/pip install --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY workers workers
COPY desk desk
COPY operator operator
RUN /opt/pip/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# Environments without pip, and without anything that builds. The dependencies are a layer of their own: they change
# seldom and are most of it. Our code lies in /code as it will lie in the image. All of it is compiled as it is installed.
FROM tools AS worker-environment
ARG PIP_INDEX_URL
COPY requirements/worker.lock /tmp/worker.lock
RUN python3 -m venv --without-pip /opt/aicompany && rm /opt/aicompany/bin/[Aa]ctivate* \
    && /opt/pip/bin/pip --python /opt/aicompany/bin/python install --compile --require-hashes -r /tmp/worker.lock

FROM worker-environment AS worker-code
COPY --from=wheel /wheels /wheels
# The operator is no part of a worker: nothing in this image knows Kubernetes.
RUN /opt/pip/bin/pip --python /opt/aicompany/bin/python install --compile --no-deps --no-warn-script-location \
        --root /code /wheels/*.whl \
    && cd /code/opt/aicompany \
    && rm -r lib/python3*/site-packages/aicompany_operator bin/aicompany-operator bin/kubectl-aicompany

FROM tools AS operator-environment
ARG PIP_INDEX_URL
COPY requirements/operator.lock /tmp/operator.lock
RUN python3 -m venv --without-pip /opt/aicompany && rm /opt/aicompany/bin/[Aa]ctivate* \
    && /opt/pip/bin/pip --python /opt/aicompany/bin/python install --compile --require-hashes -r /tmp/operator.lock

FROM operator-environment AS operator-code
COPY --from=wheel /wheels /wheels
RUN /opt/pip/bin/pip --python /opt/aicompany/bin/python install --compile --no-deps --no-warn-script-location \
        --root /code /wheels/*.whl

# Python alone: no pip, nor what a new environment would get it from. The standard library is compiled where it is not
# yet, as in the official image: on a read-only file system every start would compile it again.
FROM ${BASE_IMAGE} AS runtime
RUN rm -rf /usr/share/python-wheels /usr/lib/python3*/ensurepip /usr/local/lib/python3*/ensurepip \
        /usr/local/lib/python3*/site-packages/* /usr/local/bin/pip* /usr/local/bin/idle* \
    && python3 -m compileall -q -x '/(test|tests|lib2to3|site-packages|dist-packages)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
ENV PATH=/opt/aicompany/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# What changes most comes last, so that a new build repeats nothing else.
FROM runtime AS operator
LABEL org.opencontainers.image.title="AI Company operator" \
    org.opencontainers.image.description="Runs companies of Claude-driven workers in a Kubernetes cluster" \
    org.opencontainers.image.licenses="Apache-2.0"
# The Kubernetes client asks for a home, which a user without a name has only where the runtime gives it one.
ENV HOME=/
USER 10001:10001
WORKDIR /
ENTRYPOINT ["aicompany-operator"]
COPY --from=operator-environment /opt/aicompany /opt/aicompany
COPY --from=operator-code /code/opt/aicompany /opt/aicompany

# The last stage is what is built when no target is named.
FROM runtime AS worker
LABEL org.opencontainers.image.title="AI Company worker" \
    org.opencontainers.image.description="Gateway and workers of a company that runs itself" \
    org.opencontainers.image.licenses="Apache-2.0"
# Any user may enter it; what is written there goes to volumes.
RUN install -d -o 10001 -g 10001 -m 755 /var/lib/aicompany && install -d -o 10001 -g 10001 -m 700 /var/lib/aicompany/results
ENV HOME=/var/lib/aicompany
USER 10001:10001
WORKDIR /var/lib/aicompany
# For Compose; Kubernetes has probes of its own. A worker's health; the gateway's has another port, as compose.yaml says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8701/health', timeout=3)"]
ENTRYPOINT ["aicompany"]
COPY --from=worker-environment /opt/aicompany /opt/aicompany
COPY --from=worker-code /code/opt/aicompany /opt/aicompany
