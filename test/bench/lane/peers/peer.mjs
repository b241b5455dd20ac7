// Sends a batch of prices with npm's amazon-sp-api, as its users would: it
// repeats throttled calls by itself. Arguments: port, refresh token, seller,
// number of SKUs, number of workers. The fake Amazon judges.
import https from "node:https";
import net from "node:net";
import {createRequire} from "node:module";

const {SellingPartner} = createRequire(process.cwd() + "/")("amazon-sp-api");
const [port, refresh, seller, count, workers] = process.argv.slice(2);

// All addresses lead to the fake, without TLS.
class Local extends https.Agent {
  createConnection() {
    return net.connect(Number(port), "127.0.0.1");
  }
}

const sp = new SellingPartner({
  region: "eu",
  refresh_token: refresh,
  credentials: {SELLING_PARTNER_APP_CLIENT_ID: "client", SELLING_PARTNER_APP_CLIENT_SECRET: "hidden"},
  options: {https_proxy_agent: new Local({keepAlive: true})},
});
const market = "A1PA6795UKMFR9";

async function patch(i) {
  await sp.callAPI({
    operation: "patchListingsItem",
    endpoint: "listingsItems",
    options: {version: "2021-08-01"},
    path: {sellerId: seller, sku: "SKU-" + String(i).padStart(6, "0")},
    query: {marketplaceIds: [market]},
    body: {
      productType: "PRODUCT",
      patches: [{
        op: "merge",
        path: "/attributes/purchasable_offer",
        value: [{marketplace_id: market, currency: "EUR", audience: "ALL", our_price: [{schedule: [{value_with_tax: 19}]}]}],
      }],
    },
  });
}

let next = 0;
const failures = {};
async function work() {
  while (next < Number(count)) {
    try {
      await patch(next++);
    } catch (e) {
      const name = String(e.code) + ": " + String(e.message).slice(0, 200);
      failures[name] = (failures[name] ?? 0) + 1;
    }
  }
}
await Promise.all(Array.from({length: Number(workers)}, work));
for (const [name, n] of Object.entries(failures)) console.log(n, name);
