// With the tables come an administrator and a secret API key, which Medusa shows once: it goes to a file of its owner alone.
const { writeFileSync } = require("node:fs")
const { Modules } = require("@medusajs/framework/utils")
const { createApiKeysWorkflow, createUsersWorkflow } = require("@medusajs/medusa/core-flows")

exports.default = async function giveAccess({ container }) {
  const auth = container.resolve(Modules.AUTH)
  const email = process.env.SHOP_ADMIN
  const { result: [user] } = await createUsersWorkflow(container).run({ input: { users: [{ email }] } })
  const { authIdentity, error } = await auth.register("emailpass", { body: { email, password: process.env.SHOP_SECRET } })
  if (error) throw new Error(error)
  await auth.updateAuthIdentities({ id: authIdentity.id, app_metadata: { user_id: user.id } })
  const { result: [key] } = await createApiKeysWorkflow(container).run({
    input: { api_keys: [{ title: "Missions", type: "secret", created_by: user.id }] },
  })
  writeFileSync(process.env.SHOP_KEY_FILE, `Basic ${key.token}`, { mode: 0o600 })
}
