// Makes the tables sortable and searchable, and draws the picture in place of the still one.
for (const table of document.querySelectorAll("table.data")) {
  const box = table.closest(".scroll");
  const named = table.getAttribute("aria-labelledby");
  new DataTable(table, {
    paging: false,
    info: false,
    order: [],
    autoWidth: false,
    layout: { topStart: table.tBodies[0].rows.length > 5 ? "search" : null, topEnd: null, bottomStart: null, bottomEnd: null },
    language: { search: "Filter", zeroRecords: "No row has all of these words." },
  });
  // the filter stays where it is while the rows scroll
  const rows = table.closest(".dt-layout-table");
  box.replaceWith(...box.childNodes);
  rows.classList.add("scroll");
  rows.tabIndex = 0;
  rows.setAttribute("role", "region");
  rows.setAttribute("aria-labelledby", named);
}

const specification = document.getElementById("specification");
if (specification) {
  vegaEmbed("#chart", JSON.parse(specification.textContent), {
    actions: false,
    ast: true, // no text is run as code, which the page's policy forbids
    bind: "#choices",
    renderer: "svg",
    tooltip: { theme: "page" },
  }).then(({ view }) => {
    // the legend has its columns by the plot's width, and the plot its height by the legend's rows
    const again = () => view.resize().runAsync();
    addEventListener("resize", again);
    return again();
  });
}
