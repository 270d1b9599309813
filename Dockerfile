# syntax=docker/dockerfile:1
# The service in a container; targets: cpu (the default) and gpu (CUDA 13, from wheels).
#
#   docker build -t prefixel .
#   docker build -t prefixel:gpu --target gpu .
#   docker run --read-only --tmpfs /tmp -p 8000:8000 prefixel

# Machine code is made while the image is, for any processor of its architecture.
FROM python:3.11-slim-bookworm AS python-cpu
ENV NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES=""

# CUDA and cuDNN come with the wheels of the extra `gpu`, the driver from the host.
FROM python:3.11-slim-bookworm AS python-gpu
ENV NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES=""

# Only what is served goes in: the package, and of models/ the artifacts (no training code).
FROM scratch AS source
COPY pyproject.toml README.md LICENSE prefixel.py /prefixel/
COPY service /prefixel/service
COPY models/__init__.py /prefixel/models/__init__.py
COPY models/artifacts /prefixel/models/artifacts

FROM python-cpu AS build-cpu
COPY --from=source /prefixel /src
RUN python3 -m venv /opt/prefixel \
    && /opt/prefixel/bin/pip install --no-cache-dir "/src[cpu,heif]" \
    && /opt/prefixel/bin/pip uninstall -y pip setuptools
RUN NUMBA_CACHE_DIR=/opt/prefixel/compiled /opt/prefixel/bin/python -c "import service.codec.registry as r, service.inference as i, service.settings as s; r.load_codecs(s.packaged_artifacts(), (), i.Runtime('cpu'))"

FROM python-gpu AS build-gpu
COPY --from=source /prefixel /src
RUN python3 -m venv /opt/prefixel \
    && /opt/prefixel/bin/pip install --no-cache-dir "/src[gpu,heif]" \
    && /opt/prefixel/bin/pip uninstall -y pip
RUN NUMBA_CACHE_DIR=/opt/prefixel/compiled /opt/prefixel/bin/python -c "import service.codec.registry as r, service.inference as i, service.settings as s; r.load_codecs(s.packaged_artifacts(), (), i.Runtime('cpu'))"

FROM python-gpu AS gpu
COPY --from=build-gpu /opt/prefixel /opt/prefixel
ENV PATH=/opt/prefixel/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PREFIXEL_DEVICE=cuda
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
# numba only reads machine code where it may write
ENTRYPOINT ["/bin/sh", "-c", "cp -R /opt/prefixel/compiled/. \"$NUMBA_CACHE_DIR\"; exec \"$@\"", "sh"]
CMD ["prefixel", "serve", "--host", "0.0.0.0", "--port", "8000"]

FROM python-cpu AS cpu
COPY --from=build-cpu /opt/prefixel /opt/prefixel
ENV PATH=/opt/prefixel/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    PREFIXEL_DEVICE=cpu
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
# numba only reads machine code where it may write
ENTRYPOINT ["/bin/sh", "-c", "cp -R /opt/prefixel/compiled/. \"$NUMBA_CACHE_DIR\"; exec \"$@\"", "sh"]
CMD ["prefixel", "serve", "--host", "0.0.0.0", "--port", "8000"]
