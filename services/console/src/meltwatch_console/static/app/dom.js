/** Making elements. Text is always text: nothing that a record says is ever markup. */

/**
 * @param {string} tag
 * @param {Object<string, any>} [attributes]  `class`, `onclick` and so on; null ones are left out
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Set a text if it is another one: no work and no announcement for the same. @param {Element} node @param {string} value */
export function say(node, value) {
  const words = node.firstChild;
  // Ages count every second: a text that changes costs less than one that is made anew.
  if (words instanceof Text && !words.nextSibling) {
    if (words.data !== value) words.data = value;
  } else if (node.textContent !== value) node.textContent = value;
}

/** @param {Element} node @param {string} name @param {string|null} value */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
