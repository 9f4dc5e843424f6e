# Two images: `longhaul`, which is API or worker by its command, and `minio`, whose makers publish
# none any more.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workflows workflows
COPY activities activities
COPY scripts scripts
COPY bench bench
RUN npm run build && npm prune --omit=dev

FROM node:22-bookworm-slim AS longhaul
ENV NODE_ENV=production
# Temporal's client in the worker reads the system's certificates, which the slim image lacks.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/activities dist/activities
COPY --from=build /app/dist/workflow-bundle.js dist/workflow-bundle.js
USER node
# The API; a worker is started with `node dist/src/worker/main.js`.
CMD ["node", "dist/src/api/main.js"]

FROM golang:1.26.8-alpine AS minio-build
WORKDIR /tools/minio
COPY tools/minio/go.mod tools/minio/go.sum ./
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" \
  -o /usr/local/bin/minio github.com/minio/minio

FROM alpine:3.22 AS minio
RUN apk add --no-cache ca-certificates \
  && adduser -D -u 1000 minio \
  && install -d -o minio -g minio /data
COPY --from=minio-build /usr/local/bin/minio /usr/local/bin/minio
USER minio
VOLUME /data
CMD ["minio", "server", "/data", "--address", ":9000", "--console-address", ":9001"]
