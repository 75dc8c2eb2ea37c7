# syntax=docker/dockerfile:1
# All images of the workspace. Targets: api, mlflow, research, dev. What each installs is locked in its requirements-*.txt, with hashes.
# A release pins the base by its digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:…
ARG BASE=python:3.11-slim-bookworm
ARG DOCKER_BASE=debian:trixie-slim

# ---- what every image stands on: Python, OpenMP for the boosters, and a user without rights
#checkov:skip=CKV_DOCKER_7: the tag stands in the ARG
FROM ${BASE} AS base
ARG UID=1000
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Debian's own clean-up would empty the cache mount
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgomp1 \
    && useradd --no-log-init --uid "${UID}" --user-group --create-home --shell /bin/bash labline \
    && install -d -o labline -g labline /workspace /workspace/data /workspace/models /workspace/reports
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /workspace

# ---- what builds wheels, and uv, which takes all packages at once and pip one after the other
FROM base AS tools
COPY requirements-build.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps --require-hashes --requirement requirements-build.txt
# copies: the cache is another file system; bytecode is made where it is asked for
ENV UV_LINK_MODE=copy UV_PYTHON=/opt/venv/bin/python

# ---- Labline as a wheel
FROM tools AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

# ---- the packages of each image, in a layer that changes with the lock alone
FROM tools AS api-packages
COPY requirements-api.txt ./
# bytecode for what is loaded, which the imports write, and not for all: that would be 100 MB more
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv --without-pip /opt/venv \
    && uv pip install --no-deps --require-hashes --requirement requirements-api.txt \
    && find /opt/venv -regextype posix-extended -regex '.*/site-packages/(numpy|pandas|pyarrow|scipy|sklearn)/(.*/)?tests' -prune -exec rm -r {} + \
    && DO_NOT_TRACK=1 python -c "import alembic.command, evidently.presets, fastapi_offline, filelock, fsspec.implementations.local, jinja2, lightgbm, loguru, mlflow.artifacts, pandera.pandas, prometheus_client.multiprocess, psycopg, pyarrow.parquet, pydantic_settings, s3fs, sklearn.metrics, sqlalchemy.dialects.sqlite, starlette.middleware.cors, typer, uvicorn, xgboost"

FROM tools AS mlflow-packages
COPY requirements-mlflow.txt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv --without-pip /opt/venv \
    && uv pip install --compile-bytecode --no-deps --require-hashes --requirement requirements-mlflow.txt

# these two keep pip: a data scientist tries packages out
FROM tools AS research-packages
COPY requirements-research.txt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv /opt/venv \
    && uv pip install --compile-bytecode --no-deps --require-hashes --requirement requirements-research.txt

FROM research-packages AS dev-packages
COPY requirements-dev.txt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --compile-bytecode --no-deps --require-hashes --requirement requirements-dev.txt

# ---- the API: serves, monitors, writes report pages; cannot train
FROM base AS api
LABEL org.opencontainers.image.title="Labline API" \
      org.opencontainers.image.description="Serves the champion over HTTP and follows the registry" \
      org.opencontainers.image.source="https://github.com/labline/labline" \
      org.opencontainers.image.licenses="MIT"
COPY --from=api-packages /opt/venv /opt/venv
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    pip --python /opt/venv/bin/python install --no-cache-dir --no-deps /dist/*.whl
COPY problems ./problems
# what `labline doctor` compares the installed versions with
COPY requirements-api.txt ./requirements.txt
ENV LABLINE_SETTINGS__ROOT=/workspace \
    LABLINE_SERVING__HOST=0.0.0.0
USER labline
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["labline", "serve"]

# ---- the tracking server, with its PostgreSQL driver
FROM base AS mlflow
LABEL org.opencontainers.image.title="Labline's MLflow" \
      org.opencontainers.image.description="MLflow tracking server and registry with PostgreSQL and S3 drivers" \
      org.opencontainers.image.source="https://github.com/labline/labline" \
      org.opencontainers.image.licenses="MIT"
COPY --from=mlflow-packages /opt/venv /opt/venv
RUN install -d -o labline -g labline /artifacts
USER labline
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/health', timeout=4)"]
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--artifacts-destination", "/artifacts"]

# ---- JupyterLab and all that training needs; also runs `labline up --no-serve` for the stack
FROM base AS research
LABEL org.opencontainers.image.title="Labline research" \
      org.opencontainers.image.description="JupyterLab with Labline installed editable" \
      org.opencontainers.image.source="https://github.com/labline/labline" \
      org.opencontainers.image.licenses="MIT"
COPY --from=research-packages --chown=labline:labline /opt/venv /opt/venv
USER labline
COPY --chown=labline:labline . ./
# it would ask a foreign server for news
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
ENV LABLINE_SETTINGS__ROOT=/workspace
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8888/api', timeout=4)"]
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--LabApp.default_url=/lab/tree/notebooks"]

# ---- Docker's command line and Compose: bookworm's own is too old for today's engines
FROM ${DOCKER_BASE} AS docker-cli
RUN --mount=type=cache,id=trixie-archives,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=trixie-lists,target=/var/lib/apt,sharing=locked \
    apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-cli docker-compose

# ---- the dev container: research, and what lint, tests and git need
FROM base AS dev
LABEL org.opencontainers.image.title="Labline dev container" \
      org.opencontainers.image.description="Everything to work on Labline itself or with it" \
      org.opencontainers.image.source="https://github.com/labline/labline" \
      org.opencontainers.image.licenses="MIT"
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends curl git less make openssh-client procps \
    && git config --system --add safe.directory /workspace
COPY --from=docker-cli /usr/bin/docker /usr/bin/docker
COPY --from=docker-cli /usr/libexec/docker/cli-plugins /usr/libexec/docker/cli-plugins
COPY --from=dev-packages --chown=labline:labline /opt/venv /opt/venv
USER labline
COPY --chown=labline:labline . ./
# the stamp tells make that this environment stands
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable . && touch /opt/venv/.dev
ENV VENV=/opt/venv \
    LABLINE_SETTINGS__ROOT=/workspace
HEALTHCHECK NONE
CMD ["sleep", "infinity"]
