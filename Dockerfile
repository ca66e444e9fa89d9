# One small image with every program of sise: linked statically, so that there is nothing in it but them, the page and busybox.
#
#   docker build --tag sise .                   everything is built inside
#   scripts/images --local                      without a registry: programs that were built outside, on stand-ins
#
# Stages: `build` (Rust) and `page` (Node.js), or in place of both `given`; then `sise`, the image, and `tools`, nats-box with
# the command `sise`. Not here: clickhouse-embedded, which loads a library at run time and has no use where ClickHouse runs.
# BuildKit is needed (the default of today's Docker, DOCKER_BUILDKIT=1 before); it builds only the stages that are asked for.

ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG NODE_IMAGE=node:24.19.0-bookworm-slim
ARG BASE_IMAGE=busybox:1.37.0-musl
ARG TOOLS_IMAGE=natsio/nats-box:0.18.0
# `build`, or `given`: the tree var/image of this folder.
ARG PROGRAMS=build

FROM ${NODE_IMAGE} AS page
WORKDIR /page
COPY services/gateway/page/package.json services/gateway/page/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY services/gateway/page ./
RUN npm run build

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY nats/streams.json nats/
COPY clickhouse clickhouse
COPY proto proto
COPY tests tests
COPY services services
# A target by its name keeps `crt-static` away from macros and build scripts, which are loaded at build time. Crates and what
# is compiled of them stay in caches of the builder, so that a change of a line builds a line.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    set -eu; \
    host=$(rustc -vV | sed -n 's/^host: //p'); \
    export CARGO_TARGET_DIR=/target CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS='-C target-feature=+crt-static'; \
    cargo build --release --locked --target "$host" --workspace --bins --exclude clickhouse-embedded; \
    mkdir -p /out/usr/local/bin; \
    for folder in services/*/; do \
      program=$(basename "$folder"); \
      case $program in lib|clickhouse-embedded) continue ;; esac; \
      cp "/target/$host/release/$program" /out/usr/local/bin/; \
    done; \
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt
COPY --from=page /page/dist /out/usr/local/bin/page

FROM scratch AS given
COPY var/image /out

FROM ${PROGRAMS} AS programs

FROM ${BASE_IMAGE} AS sise
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sise" \
      org.opencontainers.image.description="Records the Korean and US stock markets: cells of the brokers, archiver, gap finder, gateway" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=programs /out /
# Settings are looked for in config/ of this folder (compose.yaml mounts it).
WORKDIR /opt/sise
USER 1000:1000
# Whether the program is ready for its work; its address is a part of the service's environment in compose.yaml.
ENV SISE_READY=http://127.0.0.1:9101/readyz
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=6 CMD wget -q -O /dev/null "$SISE_READY"
CMD ["sise", "--help"]

FROM ${TOOLS_IMAGE} AS tools
COPY --from=programs /out/usr/local/bin/sise /usr/local/bin/sise
WORKDIR /opt/sise
