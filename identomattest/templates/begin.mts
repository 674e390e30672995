{{if .Company.RequireHMAC}}import { createHmac } from "node:crypto";

{{end}}const widget = {{literal .Widget}};

async function call(operation = "", parameters = {}) {
  const body = JSON.stringify({ company_key: {{literal .Company.CompanyKey}}, ...parameters });
{{- if .Company.RequireHMAC}}
  const code = createHmac("sha256", {{literal .Company.SecretKey}}).update(body).digest("base64");
  const headers = { "Content-Type": "application/json", Authorization: `signature="${code}"` };
{{- else}}
  const headers = { "Content-Type": "application/json" };
{{- end}}
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
