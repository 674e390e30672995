// Verifies a person with Identomat. The types are generated from Identomat's OpenAPI description:
//
//	npm ci && npm run generate && npm run build
//	IDENTOMAT_COMPANY_KEY=… IDENTOMAT_WIDGET_URL=… IDENTOMAT_API_URL=… npm start
//
// It runs against "identomat sandbox", because it approves the session itself.
import createClient from "openapi-fetch";
import type { components, paths } from "./identomat.js";

const widgetURL = process.env.IDENTOMAT_WIDGET_URL ?? "https://widget.identomat.com";
const apiURL = process.env.IDENTOMAT_API_URL ?? "https://external-api.identomat.com";
const key = process.env.IDENTOMAT_COMPANY_KEY ?? "";

// Each operation belongs to one of two hosts.
const widget = createClient<paths>({ baseUrl: widgetURL });
const api = createClient<paths>({ baseUrl: apiURL });

type Failure = components["schemas"]["Error"];

/** Returns the data of a response. Errors have status 200, so the data can be an error. */
function checked<T>({ data, response }: { data?: T; response: Response }): Exclude<T, Failure> {
  if (data === undefined) {
    throw new Error(`status ${response.status}`);
  }
  if (typeof data === "string" && /^[A-Z][A-Z0-9_]*$/.test(data)) {
    throw new Error(data);
  }
  if (typeof data === "object" && data !== null) {
    const { argumentError, internalError } = data as { argumentError?: string; internalError?: string };
    if (argumentError ?? internalError) {
      throw new Error(argumentError ?? internalError);
    }
  }
  return data as Exclude<T, Failure>;
}

const token = checked(
  await widget.POST("/external-api/begin/", {
    body: {
      company_key: key,
      flags: { language: "en", skip_face: true, skip_document: true },
      steps: [
        { type: "identity-document", flags: { document_types: ["id", "passport"] } },
        { type: "liveness", flags: { liveness: true } },
      ],
    },
  }),
);
console.log(`send the browser to ${widgetURL}/?session_token=${token}`);

// Approve the session. A person does this on the page.
await fetch(`${widgetURL}/_sandbox/sessions/${token}/approve`, { method: "POST", body: "{}" });

const session = { company_key: key, session_token: token };
const result = checked(await widget.POST("/external-api/result/", { body: session }));
if (typeof result === "string") {
  throw new Error(result); // an error code, which checked has already thrown: this narrows the type
}
console.log(result.result, result.person?.first_name, result.person?.last_name);

const face = await widget.POST("/external-api/result/face/", { body: session, parseAs: "blob" });
if (!face.response.headers.get("Content-Type")?.startsWith("image/")) {
  throw new Error("there is no image of the face");
}
console.log("the face has", (face.data as Blob).size, "bytes");

const { result: hits } = checked(
  await api.POST("/search-screening-person", {
    body: { companyKey: key, query: { fullName: "John Smith", scoreThreshold: 80 } },
  }),
);
for (const hit of hits) {
  console.log("hit:", hit.score, hit.name, hit.topics?.join(", "));
}

const { result: id } = checked(
  await api.POST("/add-blacklist-record", {
    body: { companyKey: key, query: { documentNumber: result.person?.document_number, reason: "forged" } },
  }),
);
checked(await api.POST("/remove-blacklist-record", { body: { companyKey: key, id } }));
console.log("blacklisted and removed");

checked(await widget.POST("/external-api/delete/", { body: session }));
try {
  checked(await widget.POST("/external-api/result/", { body: session }));
} catch (error) {
  console.log("deleted:", (error as Error).message);
}
