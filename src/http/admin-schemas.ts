import * as v from "valibot";
import { ADMIN_PAGE } from "../event-policy.ts";
import type { EventKind } from "../events/security-event.ts";
import { isEventKind } from "../flows/admin-events.ts";
import { isRole } from "../flows/roles.ts";
import { isEmailAddress } from "../flows/typed-credentials.ts";
import { IMPORTED_ROLES_MAX } from "../policy.ts";

const text = v.pipe(
  v.string(),
  v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
);
const email = v.pipe(text, v.check(isEmailAddress, "must be an email address"));
const uuid = v.pipe(text, v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "must be an id"));

/** RFC 3339 §5.6, to milliseconds since the epoch. */
const moment = v.pipe(
  text,
  v.regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/,
    "must be a time such as 2026-05-31T12:00:00Z",
  ),
  v.transform((value) => Date.parse(value)),
  v.check((at) => Number.isFinite(at) && at >= 0, "must be a time such as 2026-05-31T12:00:00Z"),
);
const limit = v.pipe(
  text,
  v.regex(/^[1-9]\d{0,2}$/, `must be a number from 1 to ${ADMIN_PAGE.max}`),
  v.transform(Number),
  v.maxValue(ADMIN_PAGE.max, `must be a number from 1 to ${ADMIN_PAGE.max}`),
);
/** A number of arrival, or an id. Whether it belongs to the list is for the list to say. */
const cursor = v.pipe(text, v.regex(/^(\d{1,15}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/, "is not a cursor"));

const wanted = {
  kind: v.optional(v.custom<EventKind>((kind) => isEventKind(String(kind)), "must be a kind of event")),
  account: v.optional(uuid),
  source: v.optional(
    v.pipe(text, v.regex(/^(unknown|[0-9a-f.:]{2,39}\/\d{2,3})$/, "must be a network such as 192.0.2.0/24")),
  ),
  from: v.optional(moment),
  to: v.optional(moment),
};
const page = { cursor: v.optional(cursor), limit: v.optional(limit, String(ADMIN_PAGE.default)) };

export const EventsQuery = v.strictObject({ ...wanted, ...page });
export const ExportQuery = v.strictObject(wanted);
export const AlertsQuery = v.strictObject(page);
export const StatsQuery = v.strictObject({
  per: v.optional(v.picklist(["minute", "hour"], 'must be "minute" or "hour"'), "minute"),
  from: v.optional(moment),
  to: v.optional(moment),
});
export const UserQuery = v.strictObject({ email });
export const NoQuery = v.strictObject({});
/** What `Last-Event-ID` may hold (WHATWG HTML §9.2.4): the number of an event. */
export const LastEventId = v.pipe(text, v.regex(/^\d{1,15}$/, "must be the id of an event"), v.transform(Number));

export const Invitation = v.strictObject({ email });
export const Roles = v.strictObject({
  roles: v.pipe(
    v.array(v.pipe(text, v.check(isRole, "must be a short name of letters, digits and ._:-, and admin in lower case"))),
    v.maxLength(IMPORTED_ROLES_MAX, `must be at most ${IMPORTED_ROLES_MAX}`),
    v.transform((roles) => [...new Set(roles)]),
  ),
});
export const KeyChange = v.variant("action", [
  v.strictObject({
    action: v.literal("rotate"),
    purpose: v.optional(v.pipe(text, v.maxLength(64, "is too long")), "signing"),
  }),
  v.strictObject({ action: v.literal("drop"), key: v.pipe(text, v.maxLength(64, "is too long")) }),
]);
