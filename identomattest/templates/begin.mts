import { createHmac } from "node:crypto"; #! signed
 #! signed
const widget = "{WIDGET}";

async function call(operation = "", parameters = {}) {
  const body = JSON.stringify({ company_key: "{COMPANY_KEY}", ...parameters });
  const code = createHmac("sha256", "{SECRET_KEY}").update(body).digest("base64"); #! signed
  const headers = { "Content-Type": "application/json", Authorization: `signature="${code}"` }; #! signed
  const headers = { "Content-Type": "application/json" }; #! unsigned
  const response = await fetch(widget + "/external-api/" + operation, { method: "POST", headers, body });
  return JSON.parse(await response.text());
}

const session_token = await call("begin/");
console.log(widget + "/?session_token=" + session_token);

let result;
do {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  result = await call("result/", { session_token });
} while (result.result === "in_progress");
console.log(result.result);
