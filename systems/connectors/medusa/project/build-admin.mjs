// Bundles Medusa's admin pages into public/admin, from where `medusa start` serves them at /app. `medusa build` does the same, and
// needs TypeScript for sources that this project has not.
import { build } from "@medusajs/admin-bundler"

await build({ disable: false, sources: [], plugins: [], path: "/app", backendUrl: "/", outDir: "public/admin" })
