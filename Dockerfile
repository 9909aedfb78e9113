# syntax=docker/dockerfile:1

# Base images. These are tags, since a digest can only be named by whoever has pulled it: the release build resolves both and
# passes them by digest (--build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13@sha256:…), and records them in the
# image's provenance.
ARG BUILD_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# On the builder's own platform: what comes out is JavaScript, the same for every platform.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /app
# .npmrc: exact versions, and none of npm's own reports.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json bundle.ts ./
COPY src ./src
COPY certs ./certs
# One file with what is used of every dependency: loaded from node_modules they take 20 MiB more (docs/decisions/0010-bundle.md).
RUN npm run image
# Which packages are in it.
COPY image ./image
RUN npm run --silent sbom > dist/sbom.json
# Of the packages in it, the image carries the licenses.
RUN rm -rf node_modules && npm ci --ignore-scripts --omit=dev --omit=optional \
  && mkdir /licenses && find node_modules -iname 'licen[cs]e*' -type f -exec cp --parents {} /licenses \;

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="snapshot-retainer" \
      org.opencontainers.image.description="Keeps the newest N volume snapshots of each volume on the storage after Velero's data mover has copied them." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The runtime image keeps Node in /nodejs/bin and has no shell; the chart's test runs "node" by name.
ENV PATH=/nodejs/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=build /licenses ./licenses
COPY --from=build /app/dist/sbom.json ./
COPY --from=build /app/dist/image ./dist
# By number, so that "runAsNonRoot" can be checked; OpenShift runs it as another, which may read everything too.
USER 65532:65532
EXPOSE 8443 8080
# A young generation of at most 3 x 4 MiB: with Node's own 3 x 16, `npm run bench` shows twice the memory under load. The old one
# begins small and grows in small steps, since what both programs keep is small beside what passes through. What is young is
# collected in 0.2 ms by one thread; several wait for one another, for 6 ms where other processes want the processors.
ENTRYPOINT ["node", "--max-semi-space-size=4", "--no-parallel-scavenge", "--initial-old-space-size=20", "--heap-growing-percent=40", "/app/dist/main.js"]
CMD ["--help"]
