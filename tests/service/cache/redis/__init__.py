"""Tests of service.cache.redis, each with a server of its own."""
