// Local times of the people, who live in different zones.

export const place = (zone) => zone.split("/").at(-1).replaceAll("_", " ");

export function format(when, zone, options) {
  return new Date(when).toLocaleString("en-GB", { timeZone: zone, ...options });
}

export const hhmm = (when, zone) => format(when, zone, { hour: "2-digit", minute: "2-digit" });

/** The date there as YYYY-MM-DD. */
export const day = (when, zone) => new Date(when).toLocaleDateString("sv-SE", { timeZone: zone });

/** UTC+5:30 and the like; UTC where there is no difference. */
export function offset(when, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(when);
  return parts.find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC").replace("UTC+0", "UTC");
}
