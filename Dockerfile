# The chat in a container: not root, a read-only root file system, one volume. See docs/install.md.
FROM python:3.13-slim-bookworm AS build
COPY . /src
RUN sh /src/deploy/build.sh /src /opt/konsilium

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="Konsilium" \
      org.opencontainers.image.description="A self-hosted chat with a council of models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# llama.cpp, for the model inside the app, needs it.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY deploy/user.sh deploy/healthy.py /opt/
RUN sh /opt/user.sh
COPY --from=build /opt/konsilium /opt/konsilium
# Others reach a container, so people sign in: ADMIN_PASSWORD makes the first administrator.
ENV PATH=/opt/konsilium/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    DATA_DIR=/data HOST=0.0.0.0 PORT=8000 AUTH_MODE=password
USER konsilium
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Answers under way have SHUTDOWN_GRACE_SECONDS (20) to finish; give `docker stop` more than that.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["python3", "/opt/healthy.py"]
ENTRYPOINT ["konsilium"]
CMD ["run", "--no-browser"]
