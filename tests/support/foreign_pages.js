/**
 * What a page of another origin can try against a server, by everything that a browser offers. Returns functions that a
 * test calls in such a page. None of them raises.
 */
(() => {
  const SOON_MS = 4000;
  const soon = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, SOON_MS, "no answer"))]);
  const placed = (name, attributes) => {
    const element = Object.assign(document.createElement(name), attributes);
    const ended = new Promise((resolve) => {
      for (const event of ["load", "loadedmetadata", "error"]) element.addEventListener(event, () => resolve(event === "error" ? "error" : "load"));
    });
    document.body.append(element);
    return ended;
  };
  const opened = (source) => new Promise((resolve) => {
    source.onopen = () => resolve("load");
    source.onmessage = () => resolve("load");
    source.onerror = () => resolve("error");
  });

  /** @returns The status and text of a response that the page may read; null: the browser keeps it. */
  const read = async (url, headers = {}) => {
    try {
      const response = await fetch(url, { headers, cache: "no-store" });
      return [response.status, await response.text()];
    } catch {
      return null;
    }
  };

  /** @returns How many characters a page reads of a response to a request without CORS: always 0. */
  const readOpaque = async (url) => {
    try {
      return (await (await fetch(url, { mode: "no-cors", credentials: "include", cache: "no-store" })).text()).length;
    } catch {
      return 0;
    }
  };

  /** @returns For each kind of element or connection, whether it loaded. */
  const embed = async (file, style, data) => {
    const before = Object.keys(window).length;
    const tries = {
      script: placed("script", { src: file }),
      module: placed("script", { type: "module", src: file }),
      style: placed("link", { rel: "stylesheet", href: style }),
      preload: placed("link", { rel: "modulepreload", href: file }),
      imported: import(file).then(() => "load", () => "error"),
      image: placed("img", { src: data }),
      dataScript: placed("script", { src: data }),
      dataStyle: placed("link", { rel: "stylesheet", href: data }),
      video: placed("video", { src: data }),
      worker: new Promise((resolve) => {
        try {
          opened(new Worker(file)).then(resolve);
        } catch {
          resolve("error");
        }
      }),
      events: opened(new EventSource(data)),
      socket: opened(new WebSocket(data.replace(/^http/, "ws"))),
    };
    const names = Object.keys(tries);
    const ends = await Promise.all(names.map((name) => soon(tries[name])));
    return { ...Object.fromEntries(names.map((name, index) => [name, ends[index]])), globals: Object.keys(window).length - before };
  };

  const submit = (url, enctype, body) => new Promise((resolve) => {
    const frame = Object.assign(document.createElement("iframe"), { name: `f${Math.random()}` });
    const form = Object.assign(document.createElement("form"), { action: url, method: "post", enctype, target: frame.name });
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: body.slice(0, -1), value: body.slice(-1) }));
    document.body.append(frame, form);
    frame.addEventListener("load", () => resolve());
    form.submit();
  });

  const readAll = (urls, headers) => Promise.all(urls.map((url) => read(url, headers)));
  const readAllOpaque = (urls) => Promise.all(urls.map(readOpaque));

  /** Send a request that changes something, in each way that a browser has for the method. */
  const write = async (method, url, body) => {
    const attempts = [
      () => fetch(url, { method, body, headers: { "content-type": "application/json" } }),
      () => fetch(url, { method, body, mode: "no-cors", credentials: "include" }),
      () => fetch(url, { method, body, headers: { "content-type": "text/plain" }, keepalive: true }),
    ];
    if (method === "POST") {
      attempts.push(
        () => navigator.sendBeacon(url, body),
        () => navigator.sendBeacon(url, new Blob([body], { type: "application/x-www-form-urlencoded" })),
        ...["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"].map((enctype) => () => submit(url, enctype, body)),
      );
    }
    await Promise.all(attempts.map((attempt) => soon(Promise.resolve().then(attempt).catch(() => {}))));
  };
  const writeAll = (origin, writes) => Promise.all(writes.map(([method, path, body]) => write(method, origin + path, body)));

  /** @returns What a page learns of a window of the server; that it is closed: a limit applies if it stays in reach. */
  const open = async (url, limitMs = SOON_MS) => {
    const other = window.open(url);
    if (other === null) return "blocked";
    const end = performance.now() + limitMs;
    while (!other.closed && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    if (other.closed) return "closed";
    try {
      return `reached: ${other.document.body.innerText}`;
    } catch {
      return `length ${other.length}`;
    }
  };
  return { readAll, readAllOpaque, embed, writeAll, open };
})()
