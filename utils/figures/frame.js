/** An element; class names get the figure's prefix, "on..." are listeners. */
function make(tag, settings, ...children) {
  const isDrawing = /^(svg|g|image|path|rect|text)$/.test(tag);
  const node = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name === "class") {
      node.setAttribute("class", value.replace(/(^| )/g, "$1FIGURE-"));
    } else if (name.startsWith("on")) {
      node.addEventListener(name.slice(2), value);
    } else {
      node.setAttribute(name, value);
    }
  }
  node.append(...children);
  return node;
}

