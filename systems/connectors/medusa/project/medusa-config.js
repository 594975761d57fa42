// The database is reached over its socket, which Medusa's address of a database has no word for. Its admin pages are served to
// this machine without TLS, so their cookie may come that way.
const { defineConfig } = require("@medusajs/framework/utils")

module.exports = defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { connection: { host: process.env.SHOP_DATABASE_HOST } },
    http: {
      storeCors: "",
      adminCors: "",
      authCors: "",
      jwtSecret: process.env.SHOP_SECRET,
      cookieSecret: process.env.SHOP_SECRET,
    },
    cookieOptions: { secure: false, sameSite: "strict" },
  },
})
