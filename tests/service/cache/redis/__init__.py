"""Tests of service.cache.redis.store, each with a server of its own."""
