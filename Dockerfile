# syntax=docker/dockerfile:1
# Two stages: one builds a virtual environment, the other carries it and nothing to build with.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/riverrun
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY monitor monitor
COPY stream stream
COPY serve serve
RUN /opt/riverrun/bin/pip install --constraint constraints.txt ".[postgres]"

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/riverrun riverrun
COPY --from=build /opt/riverrun /opt/riverrun
ENV PATH=/opt/riverrun/bin:$PATH PYTHONUNBUFFERED=1
USER riverrun
WORKDIR /var/lib/riverrun
STOPSIGNAL SIGTERM
ENTRYPOINT ["riverrun"]
CMD ["--help"]
