// Shows the OpenAPI description of the API, without loading anything from other hosts.

const find = (name, root = document) => root.querySelector(name);

const openapi = await (await fetch("/openapi.json")).json();
find("#summary").textContent = `${openapi.info.summary} Version ${openapi.info.version}; errors are {"error": "one line"}.`;
find("#example").textContent = `curl --data-binary @sketch.png '${location.origin}/api/search?k=10'`;
for (const [address, methods] of Object.entries(openapi.paths)) {
  for (const [method, route] of Object.entries(methods)) find("#routes").append(article(method, address, route));
}

function article(method, address, route) {
  const made = find("#route").content.cloneNode(true);
  find(".method", made).textContent = method.toUpperCase();
  find(".address", made).textContent = address;
  find("caption", made).textContent = `Parameters of ${address}`;
  find(".description", made).textContent = route.description;
  const rows = (route.parameters ?? []).map(row);
  find("tbody", made).append(...rows);
  if (rows.length === 0) find("table", made).remove();
  const kinds = Object.keys(route.requestBody?.content ?? {});
  find(".body", made).textContent = kinds.length ? `Body: ${route.requestBody.description} As ${kinds.join(", ")}.` : "";
  find(".responses", made).textContent = `Responses: ${Object.entries(route.responses).map(describeResponse).join(", ")}.`;
  return made;
}

function row(parameter) {
  const cells = [
    parameter.in === "path" ? `${parameter.name} (in the path)` : parameter.name,
    typeOf(parameter.schema),
    parameter.required ? "required" : (parameter.schema.default ?? ""),
    parameter.description ?? "",
  ];
  const made = document.createElement("tr");
  for (const cell of cells) made.insertCell().textContent = cell;
  return made;
}

function typeOf(schema) {
  if (schema.$ref) return typeOf(openapi.components.schemas[schema.$ref.split("/").at(-1)]);
  if (schema.enum) return schema.enum.join(" or ");
  const parts = (schema.anyOf ?? [schema]).filter((part) => part.type !== "null");
  return parts.map((part) => (part.type === "array" ? `${typeOf(part.items)}, may be repeated` : bounded(part))).join(" or ");
}

function bounded(part) {
  const bounds = part.minimum === undefined ? "" : ` ${part.minimum} to ${part.maximum}`;
  return `${part.type}${bounds}`;
}

function describeResponse([status, response]) {
  const schema = response.content?.["application/json"]?.schema?.$ref;
  const shape = schema && openapi.components.schemas[schema.split("/").at(-1)];
  if (status !== "200" || !shape) return status;
  return `200 with ${Object.keys(shape.properties).join(", ")}`;
}
