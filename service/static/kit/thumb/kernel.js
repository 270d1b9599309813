/** Made of kernel.wat by `python -m models.export.kernel`. */
const TEXT =
  "H©»µIHHHIVI¨RÇÇÇÇÇÇÇÇÇÇHKJIHMKIHIO]JNµ­µ·ºÁJHP«·¶¾·´¾­HHRÑNIÎNJPÇVÃ\u0018HhNL´³iYKHiRKhHhR\u0018H´²iVhJiXh[i`h[iah[ibh[ich[idh[ieh[ifh[ighLiSKhViWhNiTKhNiUKhWEHJHi\\hWEHJXi]hWEHJhi^hWEHJxi_hXEQJHiZh`h\\hZE.IE,Ii`hah]hZE.IE,Iiahbh^hZE.IE,Iibhch_hZE.IE,IichXEQJLiZhdh\\hZE.IE,Iidheh]hZE.IE,Iiehfh^hZE.IE,Iifhgh_hZE.IE,IighXP²iXhWL²iWhUI³jUUHShWhY²iWhTI³jTUHShV\bT²iVhSI³jSUHShKEQJHiZhKEQJLi\\h`hZE.Ih\\E,Ii`hahZE.Ih\\E,IiahbhZE.Ih\\E,IibhchZE.Ih\\E,IichKEQJPiZhKEQJTi\\hdhZE.Ih\\E,IidhehZE.Ih\\E,IiehfhZE.Ih\\E,IifhghZE.Ih\\E,IighPLh[h`E3Ii`h[haE3Iiah[hbE3Iibh[hcE3Iich[hdE3Iidh[heE3Iieh[hfE3Iifh[hgE3IigShQLh`hIEHJHE,Ii`hahIEHJXE,IiahbhIEHJhE,IibhchIEHJxE,IichdhIEHJ\bTE,IidhehIEHJ\u0018TE,IiehfhIEHJ(TE,IifhghIEHJ8TE,IigShIh`ESJHhIhaESJXhIhbESJhhIhcESJxhIhdESJ\bThIheESJ\u0018ThIhfESJ(ThIhgESJ8ThI\u0018H²iIhRI²iRhRXUHShIÈW²iIhHhO²iHhXiJhKX²iKhMI³jMUHSS";

export function kernelModule() {
  return Uint8Array.from(TEXT, (letter) => letter.charCodeAt(0) - 72);
}
