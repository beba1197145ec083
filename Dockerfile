# Stage 1: build the virtual environment with the locked runtime dependencies.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements.lock ./
RUN /app/.venv/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY handlers ./handlers
COPY migrations ./migrations
COPY runbooks ./runbooks
RUN /app/.venv/bin/pip install --no-deps --no-build-isolation -e .

# Stage 2: the runtime image, with an unprivileged user.
FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home sitrep
COPY --from=build --chown=root:root /app /app
WORKDIR /app
USER sitrep
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SITREP_HOST=0.0.0.0 \
    SITREP_PORT=8080 \
    SITREP_RUNBOOKS=/app/runbooks \
    SITREP_DATABASE_URL=sqlite:////data/sitrep.db
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['SITREP_PORT']}/healthz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sitrep"]
CMD ["serve"]
