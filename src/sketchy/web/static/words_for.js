// What a person reads instead of numbers.

const LIKELIHOODS = [
  [0.75, "very likely"],
  [0.5, "likely"],
  [0.25, "maybe"],
  [0, "unlikely"],
]; // from which probability on

/** The probability that a photo shows what was drawn, in words; empty if it is null. */
export function likelihood(score) {
  return score === null ? "" : LIKELIHOODS.find(([least]) => score >= least)[1];
}

/** The day of a time in ISO format, such as 14 Jul 2023; empty if it is null. */
export function day(time) {
  if (time === null) return "";
  return new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** A number of bytes, such as 3.2 MB. */
export function bytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}
