# syntax=docker/dockerfile:1
# Two stages: one builds a virtual environment, the other carries it and nothing to build with.

FROM python:3.13.7-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/riverrun
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY monitor monitor
COPY stream stream
COPY serve serve
# pip goes, too: what runs installs nothing.
RUN /opt/riverrun/bin/pip install --constraint constraints.txt ".[postgres,librdkafka]" \
    && /opt/riverrun/bin/pip uninstall --yes pip

FROM python:3.13.7-slim-bookworm
RUN pip uninstall --yes --root-user-action ignore pip \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/riverrun riverrun
COPY --from=build /opt/riverrun /opt/riverrun
ENV PATH=/opt/riverrun/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/riverrun
STOPSIGNAL SIGTERM
ENTRYPOINT ["riverrun"]
CMD ["--help"]
