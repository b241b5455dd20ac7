"""Sends a batch of prices with python-amazon-sp-api, as its users would.

Arguments: port, refresh token, seller, number of SKUs, mode. The mode is plain
(no limit and no repeating), retry (the library's throttle_retry as it comes) or
tuned (throttle_retry with short waits, ten threads). The fake Amazon judges.
"""
import sys
from concurrent.futures import ThreadPoolExecutor

from sp_api.api import ListingsItemsV20210801
from sp_api.auth import AccessTokenClient
from sp_api.base import Marketplaces
from sp_api.util import throttle_retry

port, refresh, seller, count, mode = sys.argv[1:]
AGENT = "PeerBench/1 (Language=Python/3; Library=python-amazon-sp-api)"


class LocalTokens(AccessTokenClient):
    scheme = "http://"
    host = f"127.0.0.1:{port}"


client = ListingsItemsV20210801(
    marketplace=Marketplaces.DE,
    refresh_token=refresh,
    credentials={"lwa_app_id": "client", "lwa_client_secret": "hidden"},
    auth_token_client_class=LocalTokens,
)
client.endpoint = f"http://127.0.0.1:{port}"
client.user_agent = AGENT


def patch(i):
    body = {
        "productType": "PRODUCT",
        "patches": [{
            "op": "merge",
            "path": "/attributes/purchasable_offer",
            "value": [{
                "marketplace_id": client.marketplace_id,
                "currency": "EUR",
                "audience": "ALL",
                "our_price": [{"schedule": [{"value_with_tax": 19}]}],
            }],
        }],
    }
    return client.patch_listings_item(seller, f"SKU-{i:06d}", marketplaceIds=[client.marketplace_id], body=body)


send = {"plain": patch, "retry": throttle_retry()(patch), "tuned": throttle_retry(tries=10, delay=0.2, rate=1.1)(patch)}[mode]
failures = {}


def attempt(i):
    try:
        send(i)
    except Exception as e:  # what a caller would see
        name = type(e).__name__ + ": " + str(e)[:200]
        failures[name] = failures.get(name, 0) + 1


with ThreadPoolExecutor(10 if mode == "tuned" else 1) as pool:
    list(pool.map(attempt, range(int(count))))
for name, n in failures.items():
    print(n, name)
