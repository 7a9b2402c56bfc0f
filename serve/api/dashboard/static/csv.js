// Tables as CSV (RFC 4180), for a spreadsheet: what could be a formula is kept text.

const FORMULA = /^[=+\-@\t\r]/;

/** Return rows as CSV text; columns as for `table`. */
export function toCsv(columns, rows) {
  const lines = [columns.map((one) => cell(one.label)), ...rows.map((row) => columns.map((one) => cell(valueOf(one, row))))];
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

const valueOf = (column, row) => (column.value ? column.value(row) : row[column.key]);

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  let text = value instanceof Date ? value.toISOString() : typeof value === "object" ? JSON.stringify(value) : String(value);
  if (FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Let the browser save rows as a file. */
export function saveCsv(file, columns, rows) {
  const url = URL.createObjectURL(new Blob([toCsv(columns, rows)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${file}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
