/** Returns what hostile texts left in the document: one line for each element or attribute that no view of the page has. */
() => {
  const FOREIGN = ["iframe", "frame", "object", "embed", "base", "style", "portal", "video", "audio", "math", "marquee"];
  const SCRIPT_URL = /^(?:javascript|vbscript|data:text)/i;
  const found = window.__ran === undefined ? [] : [`script ran: window.__ran is ${window.__ran}`];
  const own = `${location.origin}/web/`;
  const checkLink = (element) => {
    const url = new URL(element.href);
    if (!["http:", "https:", "mailto:"].includes(url.protocol)) found.push(`<a href="${element.href}">`);
    else if (url.origin !== location.origin && !element.relList.contains("noreferrer")) found.push("<a> without noreferrer");
  };
  const check = (element) => {
    const name = element.localName;
    for (const { name: attribute, value } of element.attributes) {
      const isScript = SCRIPT_URL.test(value.replace(/[\x00-\x20]/g, ""));
      if (attribute.startsWith("on") || attribute === "srcdoc" || isScript) found.push(`<${name} ${attribute}="${value.slice(0, 80)}">`);
    }
    if (FOREIGN.includes(name)) found.push(`<${name}>`);
    if (name === "script" && !element.src.startsWith(own)) found.push("<script>");
    if (name === "link" && !element.href.startsWith(own)) found.push(`<link href="${element.href}">`);
    if (name === "meta" && element.httpEquiv) found.push(`<meta http-equiv="${element.httpEquiv}">`);
    if (name === "img" && !/^(?:blob:|data:image)/.test(element.src)) found.push(`<img src="${element.src}">`);
    if (name === "svg" && !element.matches(".icon, .chart-place > svg")) found.push("<svg>");
    const drawn = element.closest(".chart-place > svg") ? ["svg", "path", "g", "rect", "text"] : ["svg", "path"];
    if (element instanceof SVGElement && !drawn.includes(name)) found.push(`<${name}> in SVG`);
    if (name === "form" && element.hasAttribute("action")) found.push("<form action>");
    if (name === "a" && element.href) checkLink(element);
  };
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      check(element);
      if (element.shadowRoot) walk(element.shadowRoot);
      if (element instanceof HTMLTemplateElement) walk(element.content);
    }
  };
  walk(document);
  return found;
}
