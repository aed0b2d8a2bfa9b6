# Targets: `worker` (every stage, the topics job, the command line), `trainer` (that and training) and
# `model` (that and a small language model that needs no GPU).
# Everything installed is named with its hash in requirements/*.lock. On x86-64 nothing is compiled.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
# Faust has no wheel for other processors: there its source, named with its hash too, is compiled.
# hadolint ignore=DL3008
RUN if [ "$(uname -m)" != x86_64 ]; then \
      apt-get update && apt-get install --no-install-recommends -y gcc libc6-dev \
      && rm -rf /var/lib/apt/lists/*; \
    fi
COPY requirements/runtime.lock requirements/tracing.lock /locks/
# Without pip inside: what runs cannot install.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install \
       --no-deps --prefer-binary --require-hashes -r /locks/runtime.lock \
    && pip --python /opt/venv/bin/python install \
       --no-deps --prefer-binary --require-hashes -r /locks/tracing.lock

FROM packages AS training-packages
COPY requirements/trainer.lock /locks/
RUN pip --python /opt/venv/bin/python install \
    --no-deps --prefer-binary --require-hashes -r /locks/trainer.lock

FROM packages AS model-packages
COPY requirements/model.lock /locks/
RUN pip --python /opt/venv/bin/python install \
    --no-deps --prefer-binary --require-hashes -r /locks/model.lock

FROM ${PYTHON_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OpsPilot" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# The number, not the name, so that Kubernetes can see that it is not root. A new volume on
# /models or /training takes over its owner.
RUN groupadd --gid 10001 opspilot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin opspilot \
    && install -d -o 10001 -g 10001 /models /models/adapters /training \
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
CMD ["trainer"]

FROM base AS model
COPY --from=model-packages /opt/venv /opt/venv
# Gemma is provided under and subject to the Gemma Terms of Use: ai.google.dev/gemma/terms
CMD ["worker", "model"]

# The last one, so that `docker build .` makes it.
FROM base AS worker
COPY --from=packages /opt/venv /opt/venv
