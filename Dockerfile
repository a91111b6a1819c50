# One image for both processes: the API (the default command) and the agent (`mao agent`).
FROM python:3.11-slim

# git and ssh reach the remotes of the data sets.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/mao
COPY setup.py pyproject.toml README.md LICENSE wsgi.py gunicorn.conf.py ./
COPY app app
COPY cli cli
COPY migrations migrations
RUN pip install --no-cache-dir --editable .

# The number is fixed, so that a host can give its folders to this user before the container exists.
RUN useradd --uid 10001 --home-dir /var/lib/mao --create-home mao
USER mao
ENV MAO_INSTANCE=/var/lib/mao \
    MAO_API_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1

EXPOSE 8642
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8642/healthz', timeout=4)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
