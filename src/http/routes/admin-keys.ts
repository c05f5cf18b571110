import { Hono } from "hono";
import { changeKeys, listKeys } from "../../flows/admin-keys.ts";
import { isRefusal } from "../../refusal.ts";
import { keyMembers } from "../admin-members.ts";
import { readAct, readQuery } from "../admin-request.ts";
import { KeyChange, NoQuery } from "../admin-schemas.ts";
import type { Api } from "../context.ts";
import { adminReads, adminWrites } from "../middleware/admin.ts";
import { refuse } from "../problem.ts";

/** What admins see of the key ring, and do to it. */
export const adminKeys = new Hono<Api>()
  .get("/keys", adminReads, async (c) => {
    const query = readQuery(c, NoQuery);
    if (isRefusal(query)) return refuse(c, query);
    const keys = await listKeys(c.get("service"), c.get("visit"));
    return isRefusal(keys) ? refuse(c, keys) : c.json(keyMembers(keys));
  })
  .post("/keys", adminWrites, async (c) => {
    const body = await readAct(c, KeyChange);
    if (isRefusal(body)) return refuse(c, body);
    const operator = { actor: c.get("bearer").accountId };
    const changed = await changeKeys(c.get("service"), c.get("visit"), operator, body.value);
    return isRefusal(changed) ? refuse(c, changed) : c.json(keyMembers(changed));
  });
