// A data product that joins by HTTP alone, and needs nothing but Node.
//
//     mesh principal add shop-visits --domain marketing
//     node examples/shop_visits.mjs ACCESS CATALOGUE SECRET_FILE
//
// It exchanges its secret for a token, and registers itself with it.

import { readFileSync } from "node:fs";

const NAME = "shop-visits";
const DOMAIN = "marketing";
const [access, catalogue, secretFile] = process.argv.slice(2);
const team = { name: "Shops", members: [{ username: "shops@telco.example", role: "owner" }] };
const management = ["discoverability", "observability", "control", "dictionary"];

const product = {
  apiVersion: "v1.1.0",
  kind: "DataProduct",
  id: NAME,
  name: "Shop visits",
  version: "1.0.0",
  status: "active",
  domain: DOMAIN,
  description: { purpose: "Who came to a shop, and when." },
  outputPorts: [
    {
      name: "visits",
      description: "One row per visit.",
      type: "topic",
      version: "1.0.0",
      contractId: `${NAME}.visits`,
    },
  ],
  managementPorts: management.map((each) => ({
    name: each,
    content: each,
    type: "rest",
    description: `Its ${each}.`,
  })),
  team,
  support: [{ channel: "shops", url: "mailto:shops@telco.example", tool: "email" }],
};

const contract = {
  apiVersion: "v3.2.0",
  kind: "DataContract",
  id: `${NAME}.visits`,
  name: "Visits to shops",
  version: "1.0.0",
  status: "active",
  domain: DOMAIN,
  description: { purpose: "Who came to a shop, and when.", limitations: "Known customers only." },
  schema: [
    {
      name: "visits",
      physicalType: "topic",
      physicalName: `pub.${DOMAIN}.${NAME}.visits.v1`,
      description: "One row per visit.",
      properties: [
        {
          name: "visit_id",
          logicalType: "string",
          description: "The visit.",
          required: true,
          primaryKey: true,
        },
        {
          name: "contract_number",
          logicalType: "string",
          description: "The contract that it was about.",
          classification: "confidential",
          customProperties: [
            { property: "identifier", value: "contract-number" },
            { property: "personal", value: true },
          ],
        },
        { name: "came_at", logicalType: "timestamp", description: "When.", required: true },
      ],
    },
  ],
  team,
  slaProperties: [{ property: "latency", value: 60, unit: "s" }],
  customProperties: [
    { property: "portKind", value: "event" },
    { property: "retention", value: "P30D" },
    { property: "purpose", value: "Plan how many people a shop needs." },
    { property: "access", value: "ask" },
  ],
};

const secret = readFileSync(secretFile, "utf8").trim();
const login = Buffer.from(`${NAME}:${secret}`).toString("base64");
const { token } = await ask(`${access}/token`, "POST", { Authorization: `Basic ${login}` });
const verdict = await ask(
  `${catalogue}/products/${NAME}`,
  "PUT",
  { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
  JSON.stringify({ product, contracts: [contract] }),
);
console.log(`${NAME} is ${verdict.state}`);

async function ask(url, method, headers, body) {
  const answer = await fetch(url, { method, headers, body });
  const text = await answer.text();
  if (!answer.ok) {
    console.error(`${method} ${url}: ${answer.status} ${text}`);
    process.exit(1);
  }
  return JSON.parse(text);
}
