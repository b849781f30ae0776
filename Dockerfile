# syntax=docker/dockerfile:1
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
# timetzdata puts the time zones into the binary: the image has no files of its own.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -tags timetzdata \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /out/portal ./cmd/portal

FROM scratch
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Patchbay" \
      org.opencontainers.image.description="Self-service portal for Webex Calling" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/portal /portal
COPY LICENSE NOTICE /
USER 65532:65532
# Inside a container 127.0.0.1 is reached by nobody. The metrics listener is for
# the cluster only: publish 5010 alone.
ENV PORTAL_ADDR=0.0.0.0:5010 METRICS_ADDR=0.0.0.0:5011 LOG_FORMAT=json
EXPOSE 5010 5011
# There is no HEALTHCHECK: the image holds no program that could ask. Whoever runs
# it asks GET /healthz and /readyz on port 5011.
ENTRYPOINT ["/portal"]
CMD ["serve"]
