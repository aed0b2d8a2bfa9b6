# Targets: `worker` (every stage, the topics job, the command line) and `trainer` (that and training).
# Everything installed is named with its hash in requirements/*.lock; nothing is compiled.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
COPY requirements/runtime.lock /locks/
# Without pip inside: what runs cannot install.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install \
       --no-deps --only-binary=:all: --require-hashes -r /locks/runtime.lock

FROM packages AS training-packages
COPY requirements/trainer.lock /locks/
RUN pip --python /opt/venv/bin/python install \
    --no-deps --only-binary=:all: --require-hashes -r /locks/trainer.lock

FROM ${PYTHON_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OpsPilot" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# The number, not the name, so that Kubernetes can see that it is not root. A new volume on
# /models takes over its owner.
RUN groupadd --gid 10001 opspilot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin opspilot \
    && install -d -o 10001 -g 10001 /models /models/adapters \
    && rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip*
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    OPSPILOT_WORKER__DATA_FOLDER=/tmp/opspilot \
    OPSPILOT_WORKER__HOST=0.0.0.0 \
    OPSPILOT_WORKER__PORT=8080
WORKDIR /app
COPY LICENSE README.md ./
COPY schemas schemas
COPY streams streams
COPY agents agents
COPY training training
COPY opspilot opspilot
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "opspilot"]
CMD ["--help"]

FROM base AS trainer
COPY --from=training-packages /opt/venv /opt/venv

# The last one, so that `docker build .` makes it.
FROM base AS worker
COPY --from=packages /opt/venv /opt/venv
