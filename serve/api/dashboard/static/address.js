// What is looked at stands in the address, so that any view can be sent to somebody.

const read = () => new URLSearchParams(location.search);

/** Return a value of the address, or what stands for it when it is not there. */
export const param = (name, otherwise = null) => read().get(name) ?? otherwise;

/** Change values of the address; null takes one out. `push` makes the back button return here. */
export function setParams(values, { push = false } = {}) {
  const all = read();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") all.delete(name);
    else all.set(name, value);
  }
  const text = all.toString();
  const url = `${location.pathname}${text ? `?${text}` : ""}`;
  if (url === location.pathname + location.search) return;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

/** Call something when the person goes back or forth. */
export const onReturn = (call) => addEventListener("popstate", call);

/** Return the address of another page of the same stream. */
export function pageUrl(page, values = {}) {
  const stream = encodeURIComponent(document.documentElement.dataset.stream);
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined)).toString();
  return `/ui/${stream}/${page}${text ? `?${text}` : ""}`;
}
