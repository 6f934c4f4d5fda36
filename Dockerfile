FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/run.lock requirements/run.lock
RUN python -m venv /opt/aicompany \
    && /opt/aicompany/bin/pip install --no-cache-dir --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY workers workers
COPY desk desk
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && /opt/aicompany/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/aicompany aicompany \
    && install -d -o aicompany -g aicompany -m 700 /var/lib/aicompany /var/lib/aicompany/results
COPY --from=build /opt/aicompany /opt/aicompany
ENV PATH=/opt/aicompany/bin:$PATH PYTHONUNBUFFERED=1
USER aicompany
WORKDIR /var/lib/aicompany
# A worker's health; the gateway's has another port, which compose.yaml names.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8701/health', timeout=3)"]
ENTRYPOINT ["aicompany"]
