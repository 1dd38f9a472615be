# The broker as it is shipped: dist/ and its runtime packages, as a user who owns nothing.
# Its database is somewhere else: see docker-compose.yml.
FROM node:22.23.4-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=optional
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --ignore-scripts --omit=dev --omit=optional

FROM node:22.23.4-bookworm-slim
ENV NODE_ENV=production
# No prototypes to be polluted, no text that becomes code, no failure that goes unnoticed.
ENV NODE_OPTIONS="--disable-proto=delete --disallow-code-generation-from-strings --unhandled-rejections=strict --max-http-header-size=16384"
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json openapi.yaml LICENSE ./
COPY migrations migrations
COPY policies policies
# Keys and checkpoints: the one folder that is written to.
RUN install -d -o node -g node -m 0700 /var/lib/procura
VOLUME /var/lib/procura
USER node
ENV PROCURA_HOST=0.0.0.0 PROCURA_PORT=8787 PROCURA_DATA=/var/lib/procura
EXPOSE 8787
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PROCURA_PORT}/readyz`).then((res) => process.exit(res.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve"]
