// Returns the widget's texts whose contrast with their background is below 4.5 (WCAG 2.1, 1.4.3).
() => {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number)
  const channel = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  const luminance = (color) => numbers(color).slice(0, 3).map((c) => channel(c / 255))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0)
  const background = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor
      if ((numbers(color)[3] ?? 1) > 0) return color
    }
    return "rgb(255,255,255)"
  }
  const colors = (node) => {
    const style = getComputedStyle(node)
    if (node.tagName !== "text") return [style.color, background(node)]
    const box = node.parentElement.querySelector(":scope > rect")
    return [style.fill, box && node.closest(".turngraph") ? getComputedStyle(box).fill : background(node)]
  }
  const hasText = (node) => !["STYLE", "OPTION", "title", "desc", "style"].includes(node.tagName)
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
    && node.getClientRects().length > 0
  return [...document.querySelectorAll(".turnstepper *")].filter(hasText).filter((node) => {
    const [high, low] = colors(node).map(luminance).sort((a, b) => b - a)
    return (high + 0.05) / (low + 0.05) < 4.5
  }).map((node) => [node.tagName, node.textContent.slice(0, 30), ...colors(node)])
}
