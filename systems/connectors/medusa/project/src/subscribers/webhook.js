// Posts what happened to orders and returns to SHOP_WEBHOOK, with the order as it is then, signed as `t=SECONDS,v1=HMAC`.
// Medusa has no webhooks of its own; what was not taken is lost with the process, so it is tried again for a minute only.
const { createHmac, randomUUID } = require("node:crypto")
const { setTimeout: sleep } = require("node:timers/promises")
const { ContainerRegistrationKeys } = require("@medusajs/framework/utils")

const WAITS = [0, 1, 4, 15, 40].map((seconds) => seconds * 1000)
const FIELDS = ["id", "display_id", "status", "customer_id", "metadata", "created_at", "updated_at"]

exports.default = async function post({ event: { name, data }, container }) {
  if (!process.env.SHOP_WEBHOOK) return
  const query = container.resolve(ContainerRegistrationKeys.QUERY)
  const orderId = name === "shipment.created" ? await shippedOrder(query, data.id) : data.order_id ?? data.id
  const { data: [order] } = await query.graph({ entity: "order", fields: FIELDS, filters: { id: orderId } })
  const body = JSON.stringify({ id: randomUUID(), name, at: new Date().toISOString(), data, order })
  for (const wait of WAITS) {
    await sleep(wait)
    if (await taken(body)) return
  }
  container.resolve(ContainerRegistrationKeys.LOGGER).error(`${name} of ${orderId} was not taken by the webhook`)
}

async function shippedOrder(query, id) {
  const { data: [shipment] } = await query.graph({ entity: "fulfillment", fields: ["order.id"], filters: { id } })
  return shipment.order.id
}

async function taken(body) {
  const seconds = Math.floor(Date.now() / 1000)
  const signature = createHmac("sha256", process.env.SHOP_WEBHOOK_SECRET).update(`${seconds}.${body}`).digest("hex")
  const headers = { "content-type": "application/json", "x-shop-signature": `t=${seconds},v1=${signature}` }
  try {
    return (await fetch(process.env.SHOP_WEBHOOK, { method: "POST", headers, body, redirect: "error" })).ok
  } catch {
    return false
  }
}

exports.config = {
  event: ["order.placed", "order.updated", "order.canceled", "shipment.created", "order.return_requested", "order.return_received"],
}
