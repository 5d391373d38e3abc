# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json nest-cli.json ormconfig.ts ./
COPY scripts/bundle.mjs scripts/page.mjs ./scripts/
COPY sdk/typescript/src ./sdk/typescript/src
COPY migrations ./migrations
COPY src ./src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# SQLite's folder: mount a volume here unless DATABASE_URL names a server.
RUN mkdir data && chown node:node data
# The user `node`, by number: Kubernetes' runAsNonRoot checks numeric users only.
USER 1000
EXPOSE 3000
# Shutdown takes up to SHUTDOWN_DELAY_S + SHUTDOWN_GRACE_S + 9 s: docker run --stop-timeout 50
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Runs node directly, so that it receives signals.
CMD ["node", "."]
