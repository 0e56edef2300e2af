"""Parts the tests share: servers, clocks, proxies, drivers."""
