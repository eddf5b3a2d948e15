"""A Ray worker: runs trials one after another, within their limits, and retries those that crash."""
