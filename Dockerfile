# One image for all functions; a service says by FUNCTION_TARGET which one it is. docs/adr/0024 tells why.
#
#   docker build --build-arg BASE=python:3.11-slim@sha256:... .
#
# BASE has no default, so that nobody builds on an image that is not pinned by its digest.
ARG BASE

FROM ${BASE} AS built
WORKDIR /source
COPY requirements.txt constraints.txt ./
COPY infra infra
RUN infra/image/build install /opt/venv && infra/image/build trim /opt/venv
COPY functions functions
COPY shared shared
# The builder's own YAML parser is the environment's.
RUN PATH=/opt/venv/bin:$PATH infra/image/build lay-out /app \
 && infra/image/build compile /opt/venv /opt/venv/lib \
 && infra/image/build compile /opt/venv /app

FROM ${BASE}
COPY --from=built /opt/venv /opt/venv
COPY --from=built /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /app
CMD ["/app/start"]
