// Who is looking: the browser's session, where the server asks for one.

let token = "";
let role = null;

/** Return the header that proves that a request comes from this page. */
export const csrfHeader = () => (token ? { "X-CSRF-Token": token } : {});

export const mayOperate = () => role === null || role === "operator";

export const whyNot = () => "This needs the operator role.";

export async function startSession() {}
