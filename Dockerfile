# One static binary in an empty image. Both base images are arguments: for an own registry, or for none
# (test/image/build.sh makes them from the Go of the machine it runs on).
ARG GO_IMAGE=docker.io/library/golang:1.26.8
ARG FINAL_IMAGE=scratch

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
# Set by the builder when it builds for another platform than its own.
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -tags nomsgpack,grpcnotrace -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/tiercel ./cmd/tiercel \
 && mkdir -p /out/state/tiercel \
 && chmod 0700 /out/state/tiercel \
 && cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/zoneinfo.zip

FROM ${FINAL_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tiercel" \
      org.opencontainers.image.description="Takes Falco's alerts in and delivers each one to every place that asked for it." \
      org.opencontainers.image.source="https://github.com/tiercel/tiercel" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/zoneinfo.zip /usr/share/zoneinfo.zip
ENV ZONEINFO=/usr/share/zoneinfo.zip
# The journal. A volume that is mounted here for the first time takes over the owner.
COPY --from=build --chown=65532:65532 /out/state /var/lib
COPY --from=build /out/tiercel /tiercel
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
VOLUME ["/var/lib/tiercel"]
EXPOSE 2801
ENTRYPOINT ["/tiercel"]
CMD ["run"]
